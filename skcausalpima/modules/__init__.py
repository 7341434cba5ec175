"""Parts of the model that have parameters."""
