import { oneLine } from './shown.js';

/** What went wrong with a request. Codes are stable and meant for programs; messages are for people and may change. */
export type RefusalCode =
  /** The document itself is wrong. */
  | 'invalid'
  /** Something that must be unique is there twice. */
  | 'duplicate'
  /** The object, or one it refers to, does not exist. */
  | 'notFound'
  /** Others still refer to the object. */
  | 'inUse'
  /** The field keeps the value it was created with. */
  | 'immutable'
  /** No address or number is left. */
  | 'exhausted'
  /** Others changed the configuration again and again while this change was worked out. */
  | 'contended'
  /** The shared store cannot be reached. */
  | 'unavailable'
  /** The shared store holds a layout this version does not know. */
  | 'layout';

/** A request that was turned down whole: nothing changed. `message` is one line for the user. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code: RefusalCode;
  /** Path of the field the refusal is about, as in `spec.subnets[0].prefix`. */
  readonly path: string | undefined;

  constructor(code: RefusalCode, message: string, path?: string, options?: ErrorOptions) {
    super(oneLine(message), options);
    this.code = code;
    this.path = path;
  }

  /** A refusal about one field of one object: `VirtualNetwork/blue: spec.mtu: ...`. */
  static field(code: RefusalCode, subject: string, path: string, problem: string): RefusedError {
    return new RefusedError(code, `${subject}: ${path === '' ? '' : `${path}: `}${problem}`, path);
  }
}
