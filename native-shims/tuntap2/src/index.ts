export { closeFd, openTap, setOffloads, setPersist } from './native.js';
export type { OpenDevice, OpenOptions, SystemError } from './native.js';
