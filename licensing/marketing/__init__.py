"""Mails to customers, the consent that they need, reminders of what expires, and offers."""
