"""Mails as they leave the server: templates, composing, and the pages where a customer unsubscribes."""
