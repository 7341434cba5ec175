"""Which node sizes data support: what the start proposes, and what fits to parts of them say.

Every name is imported from the file that it is in; nothing is re-exported here.
"""
