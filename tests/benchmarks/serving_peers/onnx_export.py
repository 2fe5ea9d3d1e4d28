"""Export MODEL to ONNX and quantise it: writes model_int8.onnx into its folder.

    python tests/benchmarks/serving_peers/onnx_export.py MODEL

Weights are rounded per output channel, activations by their range in a text. Of torch's two exporters, and with the
nodes fused by onnxruntime.transformers or not, this graph took the least CPU time.
"""

import sys
import tempfile
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-not-found]
from transformers import AutoModelForSequenceClassification


class Logits(torch.nn.Module):
    """A model whose output is one tensor."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        """Return logits (b, classes)."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def main(folder):
    """Export a model folder."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.arange(100, 123)[None]
    names = ["input_ids", "attention_mask"]
    with tempfile.TemporaryDirectory() as scratch:
        exported = Path(scratch) / "model.onnx"
        torch.onnx.export(
            Logits(model), (ids, torch.ones_like(ids)), exported, dynamo=False,
            input_names=names, output_names=["logits"], dynamic_axes={name: {1: "tokens"} for name in names},
        )  # fmt: skip
        quantize_dynamic(
            exported,
            folder / "model_int8.onnx",
            per_channel=True,
            weight_type=QuantType.QInt8,
            reduce_range="vnni" not in Path("/proc/cpuinfo").read_text(),  # else sums overflow 16 bits
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
