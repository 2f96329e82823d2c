"""The operations of OZOMM, and of the Depot where it passes extensions on."""
