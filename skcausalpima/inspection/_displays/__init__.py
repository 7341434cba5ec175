"""Pictures of fits: scikit-learn's Display convention, matplotlib imported where one is drawn."""
