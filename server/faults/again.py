"""The mend that many errors have."""

AGAIN = "Send the same request again after a while; the transactionId or the context makes that safe."
