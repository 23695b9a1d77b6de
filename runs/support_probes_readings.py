"""How we read what came of each probe of support: the words of docs/results/support-probes.md."""

READINGS: dict[str, str] = {
    "optimist": """**Reading.** MICRO alone holds here, so there is little to win. Halting keeps every seed inside and
pays 0.3 to 0.5 for it: the policy stops at 0.2, before the log's end. Truncation at beta 0.5 lets one seed of five go
to the promise (0.97) and three more past the end by up to 0.09: it ends the rollout, and the row that leads there is
learned from with what the critics make of its end. Under the penalty policies stop too early (one seed at -0.07): the
optimist's jump lies far beyond the log's range and costs accordingly, and it seems that critics with such depths
beyond the edge are wrong before it too. One member for a rollout makes it worse: at beta 1 all seeds stop between
-0.09 and 0.14, and at 0.5 the critics believe 26, for a rollout with the optimist goes on being his. The calibrated
set and ten critics are as good as MICRO alone. Halt and anchor pulls to the log's mean action, -0.375, and gets 3.2
to 3.8.""",
    "pessimist": """**Reading.** What keeps MICRO inside the log costs what lies beyond it, and here the members were
right to promise more. Halting, penalty and the calibrated set lose 6.2 to 6.7 of 8.2 where MICRO alone loses 4.8 and
5.7; truncation, layer norm, ten critics and linear values change nothing beyond noise, and one member for a rollout
little. With halt and anchor the policy does nearly what the log does on average, which is worth less than nothing
here.""",
    "agreement": """**Reading.** This is the narrow log in small; no term made of disagreement survives it. Halting
and penalty stay inside in all seeds and get 7.4 to 7.7 of 8.2. Truncation does not help at all (-8.1): its last row
bootstraps from where the members promise most. The calibrated set is fooled at beta 0.5, if less than MICRO (critics
believe 14 and not 24), and is not at beta 1 (7.3): the set grows with the distance to the log, and the worst value in
it counts in full. At the action 1 it still misses the truth (size 1.3, error 2.0), but outweighs the promise of 1.0.
Layer norm, ten critics, one member for a rollout and linear values are fooled in every seed, as MICRO alone is. Halt
and anchor is safe, and gets less than half.""",
    "noise": """**Reading.** As with the pessimist: halting, penalty and the calibrated set give up all beyond the log
(6.2 to 6.7 of 8.2), in a system where the members are right and agree. No log says what lies beyond its end, so that
the parts that save most in the agreement lose most here. Linear values decide as draws do: what they average exactly is
the effect of one draw's noise, which is what they were asked for.""",
    "plenty": """**Reading.** Where the log has every action no part costs anything worth the name (0.1 to 0.3), but for
the anchor, which at weight 2 loses 2.1 even here: it does not ask whether the log's actions are any good. The
calibrated set believes a little less than is true, as MICRO does.""",
}

EDGE = """Rollouts are cut after a few steps. The states in which they end are bootstrapped from, and no row begins in
them, so nothing ever corrects what the critics make of them: RAVL (arXiv 2402.12527) calls it the edge of reach, and it
is there however good the model is. Here the model is exact. Two coordinates move by s' = 1.1 s + 0.25 a, actions in
[-1, 1]; the reward is 1 while both lie within 2, falls by 2 for each that goes from 2 to 3, and stays there. The log's
2,000 rows have states within 1 and actions drawn uniformly; five members all say the truth, to 0.001. Gamma is 0.99.
From the log, rollouts of three steps get as far as {reach} after none to three steps: every row that is learned from
begins within 1.74, where each reward is 1, and the last of them end up to 2.16 far out. Who goes inwards stays inside
for ever, from every state of the log, and is worth {inside:.0f}; more than {most:.1f} nobody is worth. Sizes and rates
are the probes' own, {epochs} epochs of 250 updates. "Growth" is the 1.1 where it is another.

The system was made so that the effect appears, and then left alone: with a reward that falls from the middle of the log
outwards SAC showed none, and one that rises towards the log's edge misleads by its slope, which is another fault. Long
rollouts, ten critics, diversity, layer norm and truncation were first tried on it at other sizes and rates, on two
seeds, and did the same there; halting and the penalty were not."""

EDGE_READING = """**Reading.** The critics of SAC on an exact model believe 3 to 5 million after twelve epochs, where
nothing above 102.2 is possible, and the belief is still being multiplied; the policy runs off in every seed. MICRO at
beta 1 does the same: its members agree, so f is 0 but for noise, and no conservatism is left that disagreement could
feed. What happens: all rewards learned from are 1, so the critics rise everywhere, and a network that rises does so
more the further out it is asked. Beyond the last rows it promises more than inside, the policy goes there, each step
multiplies the distance by 1.1, and gamma takes away 1 %. Where the reward is 0 there is nothing to rise from, and
four seeds of five believe nothing; the fifth runs off all the same.

* **Long rollouts cure it**: with 30 steps the rows reach where the reward falls. Every policy is worth 100.0. The
  critics end between 92 and 118, a little above what there can be: the log's own rows end up to 1.35, beyond where
  any row begins.
* **Halting cures the policy and not quite the critics**: 100.0 in every seed, but they believe 135 to 408, still
  rising, and 130 to 210 with 5 % of the batch from the log in place of half. Rows of the log are never halted, and
  they too end where none begins.
* **Halting with ten critics and diversity cures both** over these twelve epochs: 100.0 in every seed, believed to be
  83 to 106. What is left at the log's own edge is small enough for the least of ten.
* **The penalty** keeps the critics below what there can be (80 to 90), and four seeds of five end at 100.0; the fifth
  was there too and lost it in the last epochs (-200).
* **Truncation does nothing**, since what it cuts is bootstrapped: it makes an edge of reach rather than removing one.
* **RAVL's ten critics with diversity 1 only delay it here**: half of SAC's belief, the same policies. At growth 1.05
  all five seeds still believe 5,500 to 23,000. The critics' error is not their own but a common one, so the least of
  ten is wrong as well; the paper's own tasks, with five steps and 5 % log rows, were not run here. Ten critics are no
  cure on this system; that they are none elsewhere does not follow.
* **Layer norm bounds the critics (79) and does not mend the policy**: its values neither run away nor tell inside
  from outside, so that policies end between -129 and 66."""
