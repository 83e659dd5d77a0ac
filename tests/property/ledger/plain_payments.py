"""What redemptions paid and gave back, as one would reckon it on a page. Shares nothing with ours."""

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class Paid:
    """A sale of one line: what points paid of it, and what came back, in minor units."""

    net: int
    amount: int
    returns: dict[str, int] = field(default_factory=dict)
    is_voided: bool = False

    @property
    def gone(self) -> Fraction:
        back = min(sum(self.returns.values()), self.net)
        return Fraction(1) if self.is_voided else Fraction(back, self.net)


@dataclass
class Redeemed:
    """Points of one redemption; it is shared by its sales as their tenders are."""

    spent: int
    sales: dict[str, Paid] = field(default_factory=dict)
    given: int = 0
    cancelled: int = 0

    @property
    def owed(self) -> int:
        worth = sum(sale.amount for sale in self.sales.values())
        return int(sum((self.spent * sale.amount * sale.gone / worth for sale in self.sales.values()), Fraction(0)))


@dataclass
class Payments:
    """By redemption. A return gives what is owed and not yet given, a void of one takes what is given and not owed."""

    redemptions: dict[str, Redeemed] = field(default_factory=dict)

    def redeem(self, redemption: str, points: int) -> None:
        self.redemptions[redemption] = Redeemed(points)

    def pay(self, redemption: str, sale: str, net: int, amount: int) -> None:
        """Somebody else's redemption pays nothing."""
        if redemption in self.redemptions:
            self.redemptions[redemption].sales[sale] = Paid(net, amount)

    def bring_back(self, event: str, sale: str, net: int) -> None:
        for redeemed in self._that_paid(sale):
            redeemed.sales[sale].returns[event] = net
            self._give(redeemed)

    def void_sale(self, sale: str) -> None:
        for redeemed in self._that_paid(sale):
            redeemed.sales[sale].is_voided = True
            self._give(redeemed)

    def void_return(self, event: str, sale: str) -> None:
        for redeemed in self._that_paid(sale):
            if redeemed.sales[sale].returns.pop(event, None) is not None:
                redeemed.given = min(redeemed.given, redeemed.owed)

    def cancel(self, redemption: str) -> bool:
        """Whether there was anything left to give back."""
        redeemed = self.redemptions[redemption]
        left = redeemed.spent - redeemed.given - redeemed.cancelled
        redeemed.cancelled += left
        return left > 0

    def _that_paid(self, sale: str) -> list[Redeemed]:
        return [redeemed for redeemed in self.redemptions.values() if sale in redeemed.sales]

    def _give(self, redeemed: Redeemed) -> None:
        redeemed.given = max(redeemed.given, min(redeemed.owed, redeemed.spent - redeemed.cancelled))
