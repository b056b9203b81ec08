import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8 put whole paths of the datapath into one piece of machine code. They are made of many small functions, and by default it
 * stops after 920 bytes of bytecode, in the midst of a frame's way: 70 instead of 52 ns for a bridged frame, 124 instead of 100
 * for a routed one.
 */
const INLINED_BYTECODE = 8000;

/** Call it before the first frame is run. Concerns the whole process. */
export function inlineDeeply(): void {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTECODE}`);
}
