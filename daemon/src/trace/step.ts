/** The numbers of one step (see STEP in datapath/tracer.ts), and the frame's first bytes then. */
export interface Step {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly vrf: number;
  readonly vif: number;
  readonly head: Uint8Array;
  /** What became of the copies it made for an analyzer. */
  readonly copies: readonly Step[];
}

/** A step in words. */
export interface Shown {
  readonly subject: string;
  readonly result: string;
  /** Numbers of what it names. */
  readonly ids: Readonly<Record<string, number>>;
}
