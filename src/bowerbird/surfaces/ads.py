"""Ads: eligible campaigns, calibrated click probability times bid, second price, budgets never exceeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bowerbird.pipeline.ordering import LAW, policy_rule
from bowerbird.pipeline.runner import Pipeline, Scored, Trace, attributions, request_fingerprint
from bowerbird.records.campaign import Campaign
from bowerbird.records.candidates import Drop
from bowerbird.records.request import Request
from bowerbird.records.slate import Attribution, Slate, SlateEntry
from bowerbird.slate.filters import REASONS
from bowerbird.surfaces.budgets import BudgetLedger

PRIOR_CLICK = 0.01
"""Click probability assumed of every ad when no ranker was trained; the answer says so."""
RESERVE_PRICE = 0.01
"""The least a click costs."""


@dataclass(frozen=True)
class Bid:
    """One ad in the auction."""

    at: int
    """Position among the candidates."""
    item_id: str
    campaign: Campaign
    p_click: float

    @property
    def expected(self) -> float:
        """Money expected from showing it: probability of a click times the bid."""
        return self.p_click * self.campaign.bid


def second_prices(bids: list[Bid]) -> list[float]:
    """What a click on each ad costs: the least bid that would have kept its place.

    ``price_i = bid_{i+1} p_{i+1} / p_i``, at least the reserve price and at most the own bid, for bids
    in descending order of expected money. The last place pays the reserve price.

    Source: generalised second price with quality, Edelman, Ostrovsky, Schwarz 2007, and Varian 2007.

    Example:
        >>> shop = Campaign("a", bid=2.0, daily_budget=10)
        >>> mill = Campaign("b", bid=1.0, daily_budget=10)
        >>> second_prices([Bid(0, "x", shop, 0.10), Bid(1, "y", mill, 0.05)])
        [0.5, 0.01]
    """
    prices = []
    for place, bid in enumerate(bids):
        below = bids[place + 1].expected if place + 1 < len(bids) else 0.0
        prices.append(min(bid.campaign.bid, max(RESERVE_PRICE, below / bid.p_click)))
    return prices


class Auction:
    """Runs the ads surface: one ad per campaign, ranked by expected money.

    Args:
        pipeline: the declared ads pipeline, which finds and scores.
        campaigns: by id.
        ledger: budgets.
    """

    def __init__(self, pipeline: Pipeline, campaigns: Mapping[str, Campaign], ledger: BudgetLedger) -> None:
        self._pipeline = pipeline
        self._campaigns = campaigns
        self._ledger = ledger
        column = pipeline.release.items.column("campaign_id")
        self._campaign_of = dict(enumerate(column))

    def answer(self, request: Request) -> Slate:
        """The ads to show, with the price a click on each would cost."""
        trace = Trace()
        scored = self._pipeline.score(request, trace)
        request_id = request.request_id or request_fingerprint(request, self._pipeline.release.version)
        bids, dropped = self._bids(scored, request)
        trace.done("eligible campaigns", len(scored.candidates), len(bids))
        entries, refused = self._sold(scored, bids, request, request_id)
        trace.done("auction", len(bids), len(entries), "second price")
        notes = list(scored.notes)
        if not self._campaigns:
            notes.append("no campaigns were imported: `bowerbird import campaigns FILE`")
        elif "click" not in scored.actions:
            notes.append(f"no ranker: every ad is taken to be clicked with probability {PRIOR_CLICK}")
        drops = (*scored.candidates.dropped, *dropped, *refused)
        return Slate(
            request_id, request.surface, request.as_of, entries, tuple(trace.stages), drops, tuple(notes)
        )

    def _bids(self, scored: Scored, request: Request) -> tuple[list[Bid], list[Drop]]:
        """One bid per running campaign, best first; and who may not bid, with reasons."""
        rows = scored.candidates.rows
        probability = scored.candidates.scores.get("click")
        best: dict[str, Bid] = {}
        gone: dict[str, list[int]] = {}
        beaten = []
        for at, row in enumerate(rows.tolist()):
            campaign = self._campaigns.get(self._campaign_of.get(row) or "")
            why = self._barred(campaign, request)
            if campaign is None or why is not None:
                gone.setdefault(why or "", []).append(row)
            else:
                p_click = max(float(probability[at]), 1e-6) if probability is not None else PRIOR_CLICK
                bid = Bid(at, self._pipeline.release.items.vocabulary.id(row), campaign, p_click)
                rival = best.get(campaign.campaign_id)
                if rival is None or bid.expected > rival.expected:
                    best[campaign.campaign_id] = bid
                    beaten += [rows[rival.at]] if rival is not None else []
                else:
                    beaten.append(row)
        gone["its campaign has a better ad here"] = beaten
        dropped = [
            Drop("eligible campaigns", reason, np.array(rows, np.int32))
            for reason, rows in gone.items()
            if rows
        ]
        return sorted(best.values(), key=lambda bid: (-bid.expected, bid.item_id)), dropped

    def _barred(self, campaign: Campaign | None, request: Request) -> str | None:
        """Why a campaign may not bid for this person now; None when it may."""
        if campaign is None:
            return "its campaign is unknown"
        if not campaign.runs_at(request.as_of):
            return "its campaign does not run at this time"
        if campaign.audience is None:
            return None
        members = self._pipeline.release.audiences.get(campaign.audience)
        if members is None:
            return f"its audience {campaign.audience!r} is not built; declare it under [audiences] and build"
        return (
            None if request.user_id in members else f"the person is not in its audience {campaign.audience!r}"
        )

    def _targeted(self, campaign: Campaign, request: Request) -> tuple[Attribution, ...]:
        """The audience that let a campaign bid, with how alike the person is."""
        if campaign.audience is None or request.user_id is None:
            return ()
        alike = self._pipeline.release.audiences[campaign.audience][request.user_id]
        return (Attribution(f"audience {campaign.audience}", alike),)

    def _sold(
        self, scored: Scored, bids: list[Bid], request: Request, request_id: str
    ) -> tuple[tuple[SlateEntry, ...], list[Drop]]:
        """Places sold from the top; an ad whose budget does not allow its price is passed over."""
        entries: list[SlateEntry] = []
        refused: list[int] = []
        under = self._pipeline.release.limited(request.surface)[scored.candidates.rows]
        law, held = policy_rule(under), 0
        left = list(bids)
        because = attributions(scored.candidates, self._pipeline.release.items.vocabulary.ids)
        while left and len(entries) < request.n:
            full = not law.allows(held, len(entries) + 1)
            may = [
                bid for bid in left if not (full and under[bid.at])
            ]  # who may not stand here sets no price
            if not may:
                break
            bid, price = may[0], second_prices(may[:2])[0]
            left.remove(bid)
            if not self._ledger.hold(bid.campaign, bid.item_id, price, request_id, request.as_of):
                refused.append(int(scored.candidates.rows[bid.at]))
                continue
            held += int(under[bid.at])
            entries.append(
                SlateEntry(
                    position=len(entries),
                    item_id=bid.item_id,
                    score=bid.expected,
                    terms={"p_click x bid": bid.expected},
                    probabilities={
                        name: float(scored.candidates.scores[name][bid.at]) for name in scored.actions
                    },
                    because=(*because[bid.at], *self._targeted(bid.campaign, request)),
                    price=price,
                    campaign_id=bid.campaign.campaign_id,
                )
            )
        limited = [int(scored.candidates.rows[bid.at]) for bid in left if under[bid.at]]
        why = {("auction", "its budget is spent or reserved"): refused, (LAW, REASONS[LAW]): limited}
        drops = [Drop(*stage, np.array(rows, np.int32)) for stage, rows in why.items() if rows]
        return tuple(entries), drops


__all__ = ["Auction", "Bid", "second_prices"]
