"""What is in a LoRA file: read without torch, and without believing a byte of it.

The way of a file, module by module:

- is it one at all: `folders`, `opening`, `foreign` (what else it may be), `header` (read piece by piece), `layout`
  (whether the tensors lie as the header says), `hashing`;
- whose tensors they are: `roles` (by the ends of their names), `adapters` (the modules), `naming` and `sdxl_names` (the
  layers they change), `family` (the model that has these), `coverage` (what of it they leave alone), `program`;
- what it says of itself: `metadata`, `words` (for its fields), `said_alphas` (what stands beside the tensors);
- what its numbers say: `values`, `norms` (of what a module adds), `numbers` (read and decoded), all with numpy;
- all of it: `inspection`, with what is wrong in `findings`, for other programs `as_json`;
- whether another program can use it: `loading`, in the trainer's environment.
"""

from loratpl.report.inspect.as_json import inspection_json
from loratpl.report.inspect.folders import files_of
from loratpl.report.inspect.inspection import Inspection, inspect_file

__all__ = ["Inspection", "files_of", "inspect_file", "inspection_json"]
