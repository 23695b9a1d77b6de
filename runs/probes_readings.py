"""What each probe is for, and how we read what came of it: the words of docs/results/probes.md."""

STORIES: dict[str, str] = {
    "optimist": "Four members are right; one promises more than there is for actions that the log never took.",
    "pessimist": "Four members are right that more is to be had beyond the log; one warns of it.",
    "agreement": "All promise alike what is not there. Disagreement is 0 but for the 0.01 s that it is everywhere.",
    "noise": "All members are right and say the same; from the action 0.25 on, the deviation of s' grows from 0.05 to"
    " 0.8, which they know.",
    "plenty": "All members are right and the log has every action.",
}

READINGS: dict[str, str] = {
    "optimist": """**Reading.** SAC on the model is fooled: it takes the promised action in four seeds of five,
and its critics believe +12 where the truth is -8. So is MOPO at its default: it looks at the deviations that
members predict, and the one that is wrong is as sure of itself as the others. MICRO at beta 1, MOBILE and MOReL
stay where the log ends. MICRO at beta 0.5 does so less firmly: the worst of five pulls its target down by half as
much as the optimist lifts it, so the target falls only slowly beyond the log, and two seeds of five go past it by
0.1 and 0.2. One high value among five moves mean - min by a fifth of its distance and the standard deviation by
0.45: at c = 1.24 beta MOBILE pays about three times as much for an optimist. RAMBO at its default weight goes to
the promise as SAC does, and believes it more (33); at 0.1 it stays with the log in every seed. COMBO at 0.5 goes
to the promise in two seeds and towards it in a third; at 5 it does not even take the log's best action, and loses
4.6. A penalty for the distance to the log holds all seeds at 5; at 1 they go a little past its end.""",
    "pessimist": """**Reading.** Here conservatism costs, and the bolder are right. SAC on the model and MOPO lose
nothing; all who ask the members stay near the log's end. For a low value among five, mean - min is 0.8 of its
distance and the standard deviation 0.45, so at matched strength MICRO pays 1.3 times as much as MOBILE: it loses
4.9 where MOBILE at c 0.62 loses 2.8, both as foreseen. MOReL, which does not weigh but forbids, loses most of these.
MICRO is thus asymmetric: bold towards one optimist, strict towards one pessimist. RAMBO at its default loses nothing,
but believes 20 where the truth is 8; at 0.1 it loses 7.2, as those do that look at the log alone. COMBO at 5
loses more than the whole of what there is: it takes actions that are bad in the log too.""",
    "agreement": """**Reading.** MICRO must fail here, and does, at beta 0.5 and at beta 1 alike: without
disagreement f is 0 but for noise, and its critics believe +23 where the truth is -8. So do MOBILE, MOPO and
MOReL, whose terms are made of the members too. MOReL's critics believe less (12) only because the promise leads
to states beyond the log's, where the members are a little further apart; it is fooled all the same. RAMBO at its
default is fooled too, less in three seeds of five; COMBO at 0.5 in all. What is not fooled does not ask the
members: COMBO at 5, at a price, the distance to the log at 5 (7.7 of 8.2), and RAMBO at 0.1 (6.5), whose model
moves against the policy wherever the log does not hold it. The same three lose most where the members are right
to promise more, which is the price of it: from the log alone the two systems cannot be told apart.""",
    "noise": """**Reading.** f takes noise for disagreement. At one draw MICRO gives up 3.1 of 8.2 in a system
where the members are right and agree, as foreseen; at ten draws 0.3. The more of f that is noise, the more draws
matter: its bias falls with the root of their number, as the second table shows for the action 1. MOBILE at one
draw does the same, and MOPO by its very definition, at any number of draws. SAC, which cares for means alone, is
right. What MOReL does was not foreseen: its members do not differ more at the action 1, but the noise leads to
states beyond the log's, where they do. RAMBO at its default goes astray: one seed of five takes the opposite
action, and two critics believe 1,150 and 3,280. Its model goes on learning, and where the log has no rows nothing
holds it. At 0.1 no critic believes more than there is, but nothing is gained beyond the log (0.1 of 8.2). Weight
0, which would tell drift from adversary, was not run.""",
    "plenty": """**Reading.** Hardly anybody loses: all that ask the members are within 0.2 of the optimum, COMBO
at 0.5 and the distance to the log at 5 within 0.5. COMBO at 5 loses 1.1 even here: that weight is for values a
hundred times as large. The conservative ones believe less than is true (7.5 at beta 0.5, 7.0 at beta 1): with one
draw f counts even a noise of 0.05.""",
}
