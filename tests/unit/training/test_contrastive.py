"""The contrastive loss, with targets that lie on one pair and on several."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from bowerbird.training.contrastive import info_nce, softened  # noqa: E402


def unit(seed: int, rows: int) -> torch.Tensor:
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, 6)).astype(np.float32))
    return torch.nn.functional.normalize(values, dim=1)


def test_a_target_on_the_own_pair_is_the_loss_without_one() -> None:
    left, right, scale = unit(1, 5), unit(2, 5), torch.tensor(7.0)
    same = torch.eye(5, dtype=torch.bool)
    same[0, 3] = same[3, 0] = True
    plain = info_nce(left, right, scale, same=same)
    torch.testing.assert_close(info_nce(left, right, scale, same=same, target=torch.eye(5)), plain)


def test_a_share_of_the_target_goes_where_texts_mean_the_same() -> None:
    meaning = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    target = softened(meaning, 0.5, temperature=1.0)
    row = np.exp([1.0, 1.0, 0.0]) / np.exp([1.0, 1.0, 0.0]).sum()
    np.testing.assert_allclose(target[0].numpy(), 0.5 * np.array([1, 0, 0]) + 0.5 * row, rtol=1e-6)
    torch.testing.assert_close(target.sum(dim=1), torch.ones(3))


def test_pairs_that_are_the_same_get_no_target_and_no_loss() -> None:
    meaning = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    target = softened(meaning, 0.5, same=same)
    assert target[0, 1] == target[1, 0] == 0
    assert torch.isfinite(info_nce(unit(1, 3), unit(2, 3), torch.tensor(9.0), same=same, target=target))


def test_texts_without_vectors_keep_most_of_their_target() -> None:
    target = softened(torch.zeros(50, 4), 0.5)
    assert (target.diagonal() > 0.9).all()


def test_negatives_beside_count_for_the_left_side_alone_and_what_belongs_together_does_not() -> None:
    left, right, beside, scale = unit(1, 4), unit(2, 4), unit(3, 2), torch.tensor(5.0)
    scores, more = (left @ right.T * scale).numpy(), (left @ beside.T * scale).numpy()
    same = np.array([[False, True], [False, False], [False, False], [True, True]])

    def entropy(rows: np.ndarray) -> float:
        return float(np.mean([np.log(np.exp(row).sum()) - row[place] for place, row in enumerate(rows)]))

    wide = np.concatenate([scores, np.where(same, -1e4, more)], axis=1)
    expected = (entropy(wide) + entropy(scores.T)) / 2
    found = info_nce(left, right, scale, beside=beside, same_beside=torch.from_numpy(same))
    assert found.item() == pytest.approx(expected, rel=1e-5)
    spread = info_nce(left, right, scale, target=torch.eye(4), beside=beside)
    torch.testing.assert_close(spread, info_nce(left, right, scale, beside=beside))
