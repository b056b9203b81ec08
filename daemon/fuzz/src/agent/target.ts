import { type GuestConfig, answerPunt } from '#vrouterd/agent/punt.js';
import { PUNT } from '#vrouterd/tables/punt.js';
import { Choices } from '../engine/choices.js';
import { must, type Target } from '../engine/target.js';
import { CAPTURES } from '../frames/captures.js';
import { chooseFrame, kindOf } from '../frames/shape.js';
import { checkAnswer } from './answer.js';
import { chooseGuest } from './guest.js';

/** Bytes that stand behind a frame: an answer must not depend on them. */
const FILLS = [0xa5, 0x5a] as const;
const AROUND = 64;
const COMMANDS = Object.values(PUNT);

/** What the agent answers to frames of its guests: DHCP, echo, time exceeded, router advertisements. */
export function agentTarget(): Target {
  return {
    name: 'agent',
    about:
      'answers to any frame of any guest: well-formed, short enough, to who asked, and none depends on bytes outside',
    longest: 600,
    seeds: () =>
      CAPTURES.flatMap((_, i) => COMMANDS.map((_, c) => Uint8Array.of(...Array<number>(14).fill(0), c, 0, i, 0, 0))),
    run(input, observe) {
      const choices = new Choices(input);
      const guest = chooseGuest(choices);
      const command = choices.pick(COMMANDS);
      const frame = chooseFrame(choices);
      const answers = answersTo(guest, command, frame);
      observe(`${command} ${kindOf(frame)} ${answers.length}`);
      for (const answer of answers) observe(checkAnswer(answer, frame, guest));
    },
  };
}

/** The answers to the frame, whatever stands around it. */
function answersTo(guest: GuestConfig, command: (typeof COMMANDS)[number], frame: Uint8Array): Uint8Array[] {
  const [first, ...others] = [frame, ...FILLS.map((fill) => amid(frame, fill))].map((one) =>
    answerPunt({ command, vif: 3, frame: one }, () => guest).map((answer) => {
      must(answer.vif === 3, () => `answer to vif 3 goes to ${answer.vif}`);
      return answer.frame;
    }),
  );
  for (const other of others) {
    const same = other.length === first.length && other.every((answer, i) => Buffer.compare(answer, first[i]) === 0);
    must(same, () => `the answer to command ${command} depends on bytes outside of the frame`);
  }
  return first;
}

function amid(frame: Uint8Array, fill: number): Uint8Array {
  const bytes = new Uint8Array(frame.length + 2 * AROUND).fill(fill);
  bytes.set(frame, AROUND);
  return bytes.subarray(AROUND, AROUND + frame.length);
}
