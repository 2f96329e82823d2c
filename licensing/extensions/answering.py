"""What a caller is told of an extension as it stands, with the file that brings it where there is one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from licensing.extensions.central import NotDone
from licensing.extensions.saga import Content
from licensing.extensions.steps import Steps
from licensing.extensions.texts import Texts, text_for
from licensing.extensions.values import ExtensionAnswer, Reason, State, Update
from storage.extensions import ExtensionRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """Answers to callers, in the words of the vendor (`texts`) and ours."""

    steps: Steps
    texts: Texts
    clock: Callable[[], datetime]

    async def answer(
        self,
        row: ExtensionRow,
        content: Content,
        *,
        context: bytes | None,
        language: str | None,
        update: Update | None = None,
    ) -> ExtensionAnswer:
        """Answer as the extension stands; with a context, and no `update` for it yet, it is collected first."""
        state = State(row.state)
        collectable = state is State.EXTENDED or content.bridge_order_id is not None
        if update is None and context is not None and collectable:
            update = await self._collected(content, context)
        wait = None
        if state is State.PENDING:
            wait = max(1, min(60, round((row.due_at - self.clock()).total_seconds()) + 1))
        reason = _reason(state, content)
        return ExtensionAnswer(
            state=state,
            reason=reason,
            text=self.text(content, language, reason=reason),
            retry_seconds=wait,
            licenses=content.after or content.licenses,
            update=update,
            offers=content.offers if state is not State.PENDING else (),
        )

    async def _collected(self, content: Content, context: bytes) -> Update:
        try:
            return await self.steps.collected(replace(content, after=content.after or content.licenses), context)
        except NotDone as error:
            return Update(state=error.code)

    def text(self, content: Content, language: str | None, *, reason: Reason | None = None) -> str:
        """Give the words for a case: what the source itself has said of it, else those in the language that fits."""
        reason = reason or content.reason
        if content.text is not None and reason in {Reason.APPROVED, Reason.NOT_ELIGIBLE}:
            return content.text
        return text_for(reason, language or content.language, self.texts)


def _reason(state: State, content: Content) -> Reason:
    """Give the case as it stands: what is decided but not carried out yet still waits."""
    if state is not State.PENDING:
        return content.reason
    return Reason.WAITING if content.bridge_order_id is None else Reason.PROVISIONAL
