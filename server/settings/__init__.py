"""Every option of the server, declared once: name, type, default, meaning. `docs/reference/settings.md` is made of it.

A file has one group of them, by subject; `joined.py` makes one class of the groups.

A value comes from the first of: the command line, the environment (`OPENDEPOT_...`), the TOML file, the default.
A secret is given by a file: `pepper_file` in TOML or `OPENDEPOT_PEPPER_FILE`. What systemd hands over by
LoadCredential, such as `pepper` or `sealing-key`, is found in $CREDENTIALS_DIRECTORY and goes before the TOML file.
Relative paths in the TOML file start at its folder.
"""

from server.settings.joined import Settings
from server.settings.kinds import mailbox
from server.settings.loading import load_settings
from server.settings.mail import MailSecurity, ReminderTarget
from server.settings.serving import ServiceName

__all__ = ["MailSecurity", "ReminderTarget", "ServiceName", "Settings", "load_settings", "mailbox"]
