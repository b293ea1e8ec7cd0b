"""Networks: attention, ragged batches, embedding tables. Modules only; `training` fits them."""
