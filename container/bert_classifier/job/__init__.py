"""The SageMaker side of a process: its folders, files and settings. Standard library only."""
