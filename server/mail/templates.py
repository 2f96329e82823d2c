"""Templates of mails: Jinja in a sandbox, from a folder of the operator's, else as they are shipped.

`extended.de.txt.j2` is the text of the mail "extended" in German. It begins with a line `Subject: ...`, then an empty
one. `extended.de.html.j2` beside it is the same as HTML, and may be left out. `offers.spring.de.txt.j2` is taken where
all offers of a mail come from the campaign "spring".
"""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    Template,
    TemplateError,
    pass_context,
)
from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from licensing.marketing.offers import DEFAULT_LANGUAGE, best_language
from server.errors import SettingsError

SHIPPED = Path(__file__).parent / "templates"
_TEXT, _HTML = ".txt.j2", ".html.j2"
_SUBJECT = "subject:"
_DATES = {"de": "%d.%m.%Y", "en": "%d %B %Y"}
MEND = "mend it (`opendepot mail preview` shows what comes out), or take the file away to use the one that is shipped"


class TemplateInvalid(SettingsError):
    """A template cannot be used. `file` and `line` say where; no value of a mail stands in the message."""

    def __init__(self, problem: str, *, file: str, line: int) -> None:
        super().__init__(f"{file} line {line}: {problem}; {MEND}")
        self.problem = problem
        self.file = file
        self.line = line


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """A mail's words. `html` is None where there is no template for it."""

    language: str
    subject: str
    text: str
    html: str | None


class MailTemplates:
    """Finds and renders templates. A file that was changed is taken up at the next mail."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folders = (SHIPPED,) if folder is None else (folder, SHIPPED)
        self._environment = _environment(self._folders)

    def names(self) -> tuple[str, ...]:
        """Give the names of the mails that there are templates for."""
        return tuple(sorted({name.partition(".")[0] for _, name in self._texts()}))

    def render(
        self, name: str, values: Mapping[str, object], *, language: str | None, campaign: str | None = None
    ) -> Rendered:
        """Render a mail in the language that fits best, with the campaign's own templates where there are any.

        Raises TemplateInvalid. Anything that a template can do wrong ends as that.
        """
        place, stem, chosen = self._chosen(name, language, campaign)
        values = {**values, "language": chosen}
        text = _render(self._environment, f"{place}/{stem}{_TEXT}", values)
        # The HTML that is shipped does not go with a text of the operator's own: they might say different things.
        html = None
        for own in range(place + 1):
            if html is None and (self._folders[own] / (stem + _HTML)).is_file():
                html = _render(self._environment, f"{own}/{stem}{_HTML}", values)
        first, _, body = text.lstrip("\n").partition("\n")
        if not first.lower().startswith(_SUBJECT) or not first[len(_SUBJECT) :].strip():
            file = str(self._folders[place] / (stem + _TEXT))
            raise TemplateInvalid("the text must begin with a line such as Subject: Your licence", file=file, line=1)
        return Rendered(
            language=chosen,
            subject=_one_line(first[len(_SUBJECT) :]),
            text=body.strip("\n") + "\n",
            html=html,
        )

    def _chosen(self, name: str, language: str | None, campaign: str | None) -> tuple[int, str, str]:
        """Give where the text of a mail is, its file's name without the ending, and its language."""
        texts = list(self._texts())
        prefixes = [f"{name}.{campaign}.", f"{name}."] if campaign else [f"{name}."]
        for prefix in prefixes:
            known = {stem.removeprefix(prefix) for _, stem in texts if stem.startswith(prefix)}
            known = {tag for tag in known if "." not in tag}
            chosen = best_language(language, known) or best_language(DEFAULT_LANGUAGE, known)
            chosen = chosen or min(known, default=None)
            if chosen is not None:
                return min(place for place, stem in texts if stem == prefix + chosen), prefix + chosen, chosen
        raise TemplateInvalid(
            "there is no such template", file=str(self._folders[0] / f"{name}.{DEFAULT_LANGUAGE}{_TEXT}"), line=1
        )

    def _texts(self) -> Iterable[tuple[int, str]]:
        for place, folder in enumerate(self._folders):
            for path in folder.glob("*" + _TEXT):
                yield place, path.name.removesuffix(_TEXT)


def _environment(folders: Sequence[Path]) -> ImmutableSandboxedEnvironment:
    # A mail's file is named with the number of its folder; what it extends or includes is looked for in all of them.
    loaders = [FileSystemLoader(folder) for folder in folders]
    numbered: BaseLoader = PrefixLoader({str(number): loader for number, loader in enumerate(loaders)})
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([numbered, *loaders]),
        undefined=StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(_HTML),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["date"] = _date
    return environment


def _render(environment: ImmutableSandboxedEnvironment, name: str, values: Mapping[str, object]) -> str:
    try:
        template: Template = environment.get_template(name)
        return template.render(values)
    except TemplateSyntaxError as error:
        raise TemplateInvalid(error.message or "wrong syntax", file=error.filename or name, line=error.lineno) from None
    except TemplateNotFound as error:
        file, line = _place(error, name)
        raise TemplateInvalid(f"there is no template {error.name}", file=file, line=line) from None
    except UndefinedError as error:
        file, line = _place(error, name)
        raise TemplateInvalid("it names a value that the mail does not have", file=file, line=line) from None
    except Exception as error:  # noqa: BLE001  a template may raise whatever the code in it does
        file, line = _place(error, name)
        kind = "the sandbox forbids it" if isinstance(error, TemplateError) else type(error).__name__
        raise TemplateInvalid(kind, file=file, line=line) from None


def _place(error: BaseException, name: str) -> tuple[str, int]:
    """Give the file and line of a template in which an error arose."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")]
    return (frames[-1].filename, frames[-1].lineno or 1) if frames else (name, 1)


def _one_line(text: str) -> str:
    """Give a text without line ends and control characters, which no header can carry."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@pass_context
def _date(context: Context, moment: datetime | None) -> str:
    """Write a day as the mail's language does."""
    pattern = _DATES.get(str(context["language"]).partition("-")[0], "%Y-%m-%d")
    return "" if moment is None else moment.strftime(pattern)
