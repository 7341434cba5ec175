"""What all rooms stand on: checks of numbers, parameter objects, the grid of outcomes, words."""
