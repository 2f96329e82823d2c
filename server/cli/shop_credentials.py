"""`opendepot shop rotate-key|add-username|add-certificate|revoke`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from licensing.credentials import fingerprint_text
from licensing.errors import CertificateInvalid
from server.cli.common import ConfigOption, JsonOption, print_json, with_config
from server.cli.shops import NameArgument
from server.security.certificates import CertificateUnreadable, read_pem

LabelOption = Annotated[str, typer.Option(help="What it is for, to tell it from others.")]


def add_to(shops: typer.Typer) -> None:
    """Add the verbs to those of shops."""
    shops.command("rotate-key")(rotate_key)
    shops.command("add-username")(add_username)
    shops.command("add-certificate")(add_certificate)
    shops.command("revoke")(revoke)


def rotate_key(
    name: NameArgument,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=365 * 24, help="Hours that the old key goes on to hold; 0 ends it at once.")
    ] = 72.0,
    label: LabelOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Make a new API key and print it: now, and never again. The old one goes on to hold for the overlap."""
    overlap = timedelta(hours=overlap_hours)
    made, ends = with_config(config, lambda core: core.credentials.rotate_key(name, overlap=overlap, label=label))
    if as_json:
        values = {"credential_id": made.credential.credential_id, "api_key": made.secret, "old_until": ends.isoformat()}
        print_json(values)
        return
    typer.echo(f"API key, shown this once: {made.secret}\nthe key before holds until {ends:%Y-%m-%d %H:%M} UTC")


def add_username(
    name: NameArgument,
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="The name in a UsernameToken.")],
    label: LabelOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  as above
) -> None:
    """Let a shop use WS-Security UsernameToken with this name, and print the secret: now, and never again."""
    made = with_config(config, lambda core: core.credentials.add_username(name, username, label=label))
    if as_json:
        print_json({"credential_id": made.credential.credential_id, "username": username, "secret": made.secret})
        return
    typer.echo(f"added username {username} of shop {name}\nsecret, shown this once: {made.secret}")


def add_certificate(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The certificate (PEM); no key is needed.")],
    authority: Annotated[  # noqa: FBT002  as above
        bool, typer.Option("--authority", help="It certifies this shop's clients, and nobody else's.")
    ] = False,
    label: LabelOption = "",
    config: ConfigOption = None,
) -> None:
    """Let a shop prove itself by a certificate, over TLS or by a signature."""
    try:
        certificate = read_pem(file.read_bytes())
    except OSError as error:
        raise CertificateInvalid(f"cannot read {file}: {error.strerror}") from None
    except CertificateUnreadable as unreadable:
        raise CertificateInvalid(f"{file}: {unreadable}") from None
    added = with_config(
        config, lambda core: core.credentials.add_certificate(name, certificate, authority=authority, label=label)
    )
    typer.echo(f"added {added.kind} {added.credential_id} of shop {name}")
    if added.material is not None:
        typer.echo(f"sha256:{fingerprint_text(added.material)}")


def revoke(
    name: NameArgument,
    credential_id: Annotated[str, typer.Argument(metavar="CREDENTIAL", help="Its id, as `shop show` prints it.")],
    config: ConfigOption = None,
) -> None:
    """Let a credential hold no more; this is known everywhere within a second."""
    with_config(config, lambda core: core.credentials.revoke(name, credential_id))
    typer.echo(f"revoked {credential_id} of shop {name}")
