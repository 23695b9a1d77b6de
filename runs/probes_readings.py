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
    "optimist": """**Reading.** SAC on the model is fooled: it goes towards the promised action in every seed (0.79 to
0.99), and its critics believe +12 where it gets -6.5. So is MOPO at its default: it looks at the deviations that
members predict, and the one that is wrong is as sure of itself as the others. MICRO at beta 1, MOBILE and MOReL stay
where the log ends. MICRO at beta 0.5 does so too in these seeds, but less firmly: the worst of five pulls its target
down by half as much as the optimist lifts it, so the target falls only slowly beyond the log, and with the random
numbers of an earlier version two seeds of five went past it by 0.1 and 0.2 (found there: 6.5 ± 1.8). One high value
among five moves mean - min by a fifth of its distance and the standard deviation by 0.45: at c = 1.24 beta MOBILE pays
about three times as much for an optimist. RAMBO at its default weight goes to the promise as SAC does, and believes it
more (33); at 0.1 it stays with the log in every seed. COMBO at 0.5 goes to the promise in two seeds and towards it in
two more; at 5 it does not even take the log's best action, and loses 7.1. A penalty for the distance to the log holds
all seeds at 5; at 1 they go a little past its end.""",
    "pessimist": """**Reading.** Here conservatism costs, and the bolder are right. SAC on the model and MOPO lose
nothing; all others who ask the members stop before the best action. For a low value among five, mean - min is 0.8 of
its distance and the standard deviation 0.45, so at matched strength MICRO pays 1.3 times as much as MOBILE: it loses
4.8 where MOBILE at c 0.62 loses 2.0 (foreseen: 5.3 and 2.7). MOReL, which does not weigh but forbids, loses most of
these. MICRO is thus asymmetric: bold towards one optimist, strict towards one pessimist. RAMBO at its default loses
nothing, but believes 20 where the truth is 8; at 0.1 it loses 7.8, more than those that stay at the log's end. COMBO
at 5 loses more than the whole of what there is: it takes actions that are bad in the log too.""",
    "agreement": """**Reading.** MICRO must fail here, and does, at beta 0.5 and at beta 1 alike: without disagreement
f is 0 but for noise, and its critics believe +23 to +24 where the truth is -8. So do MOBILE, MOPO and MOReL, whose
terms are made of the members too. MOReL's critics believe less (12) only because the promise leads to states beyond
the log's, where the members are a little further apart; it is fooled all the same. RAMBO at its default is fooled too,
less in two seeds of five; COMBO at 0.5 in all. What is not fooled does not ask the members: COMBO at 5, at a price,
the distance to the log at 5 (7.5 of 8.2), and RAMBO at 0.1 (6.6), whose model moves against the policy wherever the
log does not hold it. The same three lose most where the members are right to promise more, which is the price of it:
from the log alone the two systems cannot be told apart.""",
    "noise": """**Reading.** f takes noise for disagreement. At one draw MICRO at beta 0.5 gives up 3.0 of 8.2 in a
system where the members are right and agree (foreseen: 2.7); at ten draws 0.3. The more of f that is noise, the more
draws matter: its bias falls with the root of their number, as the second table shows for the action 1. MOBILE at one
draw does the same, and MOPO by its very definition, at any number of draws. SAC, which cares for means alone, is
right. What MOReL does was not foreseen: its members do not differ more at the action 1, but the noise leads to states
beyond the log's, where they do. RAMBO at its default goes astray: one seed of five takes the opposite action, and in
two the critics believe 418 and 798. Its model goes on learning, and where the log has no rows nothing holds it. At 0.1
no critic believes more than there is, but nothing is gained beyond the log (0.1 of 8.2). Weight 0, which would tell
drift from adversary, was not run.""",
    "plenty": """**Reading.** Hardly anybody loses: all that ask the members are within 0.2 of the optimum, the
distance to the log at 5 within 0.4, COMBO at 0.5 within 0.7. COMBO at 5 loses 1.4 even here: that weight is for values
a hundred times as large. The conservative ones believe less than is true (7.5 at beta 0.5, 7.0 at beta 1): with one
draw f counts even a noise of 0.05.""",
}

WITHOUT_A_MODEL = """They learn from the rows of the log alone, so what the members say, which is the point of most of
these probes, is nothing to them. Of the five systems only three have logs of their own: the over-optimistic member and
the agreement have one truth and the same rows, and so have the over-pessimistic member and the noise, which grows only
where the log ends. So each of these methods was run on three logs, not on five. Nothing was foreseen for them.

Everything else is as above: 1,500 updates of the critics (TD3+BC and ReBRAC move their actors at every second one) of
64 rows, here all of the log, networks of 32-32, rates 3e-3, target rate 0.05; SAC-N, EDAC and CQL have the fixed
temperature of 0.02 that does not enter the backup. SAC-N and EDAC have ten critics, the others two. Options are the
methods' defaults, and CQL was run at COMBO's smaller weight too. No row goes on where another ended, so ReBRAC's target
never knows what the log did next, and its second weight has no effect here. With one action the direction of a critic's
gradient is 1 or -1 and has no derivative, so EDAC's term moves nothing here: it is SAC-N but for rounding."""

READING_WITHOUT_A_MODEL = """**Reading.** What lies beyond the log's end cannot be told from the log: methods that go
there are right on the climb and wrong on the hill, those that stay the other way round. Behaviour cloning does the
log's mean action within 0.05, and gets what that is worth. TD3+BC, IQL and CQL at 0.5 move from it towards better
actions and stay within the log in every seed on the hill and on the climb: of the hill's 8.2 they get 4.6, 5.0 and
6.2; on the climb 1.1, -0.9 and 0.8, where the log's best action is worth 2.0. CQL at 5 gets less than cloning on both,
and with plenty of data two of its seeds go far past the top (5.8 ± 2.2). SAC-N and EDAC are fooled on the hill in
every seed: they take the action 0.99, worth -8, and the smallest of their ten critics promises 17. So critics that
learned from the same rows can agree beyond them and be wrong together, as members of an ensemble can. On the climb the
same two get 8.0 of 8.2. ReBRAC with these weights leaves the log in every seed too, but not always as far: from 0.5 to
1.0 on the hill, from 0.7 to 1.0 on the climb. With plenty of data SAC-N and EDAC lose 0.2, TD3+BC and ReBRAC 0.5, CQL
at 0.5 0.9, IQL 1.4 and cloning 2.7. IQL's critics value its expectile and not its policy, so they believe less than
the policy gets. One weight of each was run but for CQL, and none was tuned."""
