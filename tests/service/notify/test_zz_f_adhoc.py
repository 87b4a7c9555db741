"""Temporary."""
import random
from tests.service.notify.test_pumping import *
async def test_new_people(surroundings, capsys):
    dice, shared = random.Random(1), prefixes(20)
    orgs, bad = [IDS.uuid() for _ in range(10)], [IDS.uuid() for _ in range(100)]
    half=[f"+614{n:04}" for n in range(3000,3020)]
    asks=[*attack(shared, bad, MANY, 3600), *people(shared, orgs, 250, 3600, dice), *people(half, orgs, 250, 3600, dice)]
    async with judging(surroundings, LIMITS) as judge:
        got = await replay(judge, surroundings, asks)
    a=[v for k,v in got.items() if k.used_after is None]
    p1=[v for k,v in got.items() if k.used_after is not None and k.to[:8] in shared]; p2=[v for k,v in got.items() if k.used_after is not None and k.to[:8] in half]
    with capsys.disabled(): print("ADHOC attacker",sum(a),"of",len(a),"new people in attacked prefixes",sum(p1),len(p1),"elsewhere",sum(p2),len(p2))
