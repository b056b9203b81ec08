/** Where packets come from. */
export interface Input {
  /** Begins to read; resolves at the end, of inputs that have one. */
  start(): Promise<void>;
  /** Reads what waits already. */
  drain(): void;
  /** Brings the counter of what the kernel dropped up to date. */
  refresh(): void;
  close(): void;
}
