"""What a customer is told, by language and case. A vendor's own words come first."""

from collections.abc import Mapping

from licensing.extensions.values import Reason
from licensing.marketing.offers import DEFAULT_LANGUAGE, best_language

Texts = Mapping[str, Mapping[str, str]]
"""Words by reason, by language."""

TEXTS: Texts = {
    "en": {
        Reason.APPROVED: "Your licence has been extended.",
        Reason.WAITING: "Your request is being checked. Please try again later.",
        Reason.PROVISIONAL: "Your licence has been extended for a few days while your request is being checked.",
        Reason.NOT_ELIGIBLE: "Your licence cannot be extended. Please contact your vendor.",
        Reason.NOT_OFFERED: "There is no such extension for your licence. Please contact your vendor.",
        Reason.NOTHING_TO_EXTEND: "Your licence does not expire; there is nothing to extend.",
        Reason.NOT_POSSIBLE: "Your licence can no longer be extended. Please contact your vendor.",
        Reason.NO_ANSWER: "Your request could not be checked. Please try again, or contact your vendor.",
    },
    "de": {
        Reason.APPROVED: "Ihre Lizenz wurde verlängert.",
        Reason.WAITING: "Ihre Anfrage wird geprüft. Bitte versuchen Sie es später noch einmal.",
        Reason.PROVISIONAL: "Ihre Lizenz wurde für einige Tage verlängert, solange Ihre Anfrage geprüft wird.",
        Reason.NOT_ELIGIBLE: "Ihre Lizenz kann nicht verlängert werden. Bitte wenden Sie sich an den Hersteller.",
        Reason.NOT_OFFERED: "Eine solche Verlängerung gibt es nicht. Bitte wenden Sie sich an den Hersteller.",
        Reason.NOTHING_TO_EXTEND: "Ihre Lizenz läuft nicht ab; es gibt nichts zu verlängern.",
        Reason.NOT_POSSIBLE: "Ihre Lizenz kann nicht mehr verlängert werden. Bitte wenden Sie sich an den Hersteller.",
        Reason.NO_ANSWER: "Ihre Anfrage konnte nicht geprüft werden. Bitte versuchen Sie es noch einmal.",
    },
    "fr": {
        Reason.APPROVED: "Votre licence a été prolongée.",
        Reason.WAITING: "Votre demande est en cours de vérification. Veuillez réessayer plus tard.",
        Reason.PROVISIONAL: "Votre licence a été prolongée de quelques jours pendant la vérification.",
        Reason.NOT_ELIGIBLE: "Votre licence ne peut pas être prolongée. Veuillez contacter l'éditeur.",
        Reason.NOT_OFFERED: "Il n'existe pas de telle prolongation. Veuillez contacter l'éditeur.",
        Reason.NOTHING_TO_EXTEND: "Votre licence n'expire pas ; il n'y a rien à prolonger.",
        Reason.NOT_POSSIBLE: "Votre licence ne peut plus être prolongée. Veuillez contacter l'éditeur.",
        Reason.NO_ANSWER: "Votre demande n'a pas pu être vérifiée. Veuillez réessayer.",
    },
}


def text_for(reason: str, language: str | None, own: Texts) -> str:
    """Give the words for a case in the language that fits best, a vendor's own before ours, English at last."""
    for wanted in (language, DEFAULT_LANGUAGE):
        for texts in (own, TEXTS):
            known = [each for each in texts if reason in texts[each]]
            found = best_language(wanted, known)
            if found is not None:
                return texts[found][reason]
    return TEXTS[DEFAULT_LANGUAGE][Reason.WAITING]
