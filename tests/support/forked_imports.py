"""Imports what a training job imports, for a process from which jobs are forked."""

import torch
import transformers

import bert_classifier.artifact.artifact
import bert_classifier.evaluation.report.plots
import bert_classifier.training.prepare
import bert_classifier.training.report
import bert_classifier.training.worker
import support.forked_ranks

__all__ = ["bert_classifier", "support", "torch", "transformers"]
