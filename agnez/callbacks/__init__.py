"""The adapters: each translates one framework, and only here a framework is imported."""
