"""What a person reads of a run: the card in the terminal, and the report as HTML, text, Markdown or JSON.

Nothing is imported here: the card is printed by the training process, which must not load plots and templates.
"""
