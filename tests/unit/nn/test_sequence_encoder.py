from __future__ import annotations

import numpy as np
import pytest
import torch

from bowerbird.nn.causal_blocks import AttentionBlock, GatedBlock
from bowerbird.nn.dropout import Dropout, MaskStream
from bowerbird.nn.sequence_encoder import ItemVectors, SequenceEncoder


def _encoder(kind: type) -> SequenceEncoder:
    torch.manual_seed(0)
    masks = MaskStream()
    blocks = [
        AttentionBlock(16, 2, 0.5, masks) if kind is AttentionBlock else GatedBlock(16, 2, 0.5, 9, masks)
        for _ in range(2)
    ]
    encoder = SequenceEncoder(16, blocks, 0.5, masks, positions=30 if kind is AttentionBlock else 0)
    for parameter in encoder.parameters():  # nothing may hide behind a zero
        torch.nn.init.normal_(parameter, std=0.3)
    return encoder.eval()


@pytest.mark.parametrize("kind", [AttentionBlock, GatedBlock])
def test_the_future_changes_nothing(kind: type) -> None:
    encoder, vectors = _encoder(kind), torch.randn(2, 25, 16)
    other = vectors.clone()
    other[:, 12:] = torch.randn(2, 13, 16)
    with torch.no_grad():
        assert torch.equal(encoder(vectors)[:, :12], encoder(other)[:, :12])


@pytest.mark.parametrize("kind", [AttentionBlock, GatedBlock])
def test_padding_and_batch_mates_change_nothing(kind: type) -> None:
    encoder, vectors = _encoder(kind), torch.randn(3, 25, 16)
    with torch.no_grad():
        together = encoder(vectors)
        for length in (1, 7, 20):
            alone = encoder(vectors[1:2, :length])
            assert torch.allclose(together[1, length - 1], alone[0, -1], atol=2e-5)


def test_dropout_is_decided_by_seed_and_step() -> None:
    masks = MaskStream()
    drop, x = Dropout(0.25, masks), torch.ones(200, 50)
    masks.restart(1, 5)
    first = drop(x)
    masks.restart(1, 5)
    assert torch.equal(first, drop(x))
    masks.restart(1, 6)
    assert not torch.equal(first, drop(x))
    assert float(first.mean()) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(drop.eval()(x), x)


def test_an_item_without_a_learnt_part_is_its_content() -> None:
    content = torch.randn(5, 3)
    items = ItemVectors(5, 8, MaskStream(), content, id_dropout=0.5).eval()
    with torch.no_grad():
        items.ids[4] = 0.0
        found = items()
    assert torch.allclose(found[4], items.project(content * 8**0.5)[4])
    assert np.allclose(items.rows(torch.tensor([2, 4])).detach(), found[[2, 4]])


def test_a_topic_moves_the_question_and_none_is_a_topic_too() -> None:
    torch.manual_seed(0)
    encoder = SequenceEncoder(16, [], 0.0, MaskStream(), topics=3).eval()
    for one in (encoder.topic_scale, encoder.topic_shift):
        torch.nn.init.normal_(one)
    vectors, topics = torch.randn(2, 5, 16), torch.tensor([[1] * 5, [3] * 5])
    with torch.no_grad():
        plain, asked = encoder(vectors), encoder(vectors, topics=topics)
        assert torch.equal(plain, encoder(vectors, topics=torch.zeros(2, 5, dtype=torch.long)))
        assert torch.equal(asked, encoder.asked(encoder.states(vectors), topics))
        expected = vectors[1, 2] * 4.0 * (1 + encoder.topic_scale[3]) + encoder.topic_shift[3]
        assert torch.allclose(asked[1, 2], encoder.norm(expected), atol=1e-5)
    assert not torch.allclose(plain, asked)
