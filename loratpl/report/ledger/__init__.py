"""The runs of a project as a ledger: listed, shown, compared, and cleared away."""
