"""The SageMaker side of a process: where its files lie, and what it is told. Standard library only."""
