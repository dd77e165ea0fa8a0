/**
 * How much memory the bodies of one address may take. Small bodies are not counted: all that the connections of one
 * address can hold of them is little.
 */
import type { Clock } from '../clock.ts';
import { Totals } from '../core/totals.ts';

/** Bytes of memory, as estimated below, for the large bodies of one address. */
const PER_ADDRESS = 64 * 2 ** 20;
/** Bytes of a body that is not counted, with what its chunks take. */
export const SMALL_BODY = 64 * 2 ** 10;
/** What each byte of a body takes until it is parsed: its chunk, the whole body, and its text. */
const PER_BYTE = 3;
/** What a chunk takes beside its bytes: a client may send them one by one. */
const CHUNK_TAKES = 1024;
/** Milliseconds after its answer until the memory of a body counts as free: the garbage collector needs a moment. */
const FREE_AFTER = 500;

export class BodyBudget {
  readonly #clock: Pick<Clock, 'after'>;
  /** By address. */
  readonly #taken = new Totals();

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
  }

  /** @returns whether the address may take so many bytes more */
  take(address: string, bytes: number): boolean {
    if (this.#taken.of(address) + bytes > PER_ADDRESS) return false;
    this.#taken.add(address, bytes);
    return true;
  }

  /** Gives bytes back, after a while. */
  free(address: string, bytes: number): void {
    this.#clock.after(FREE_AFTER, () => this.#taken.add(address, -bytes));
  }
}

/** What one body takes. */
export class BodyAccount {
  readonly #budget: BodyBudget;
  readonly #address: string;
  #received = 0;
  #taken = 0;
  #isClosed = false;

  constructor(budget: BodyBudget, address: string) {
    this.#budget = budget;
    this.#address = address;
  }

  /** @param length of a chunk, in bytes @returns whether the body may go on */
  receive(length: number): boolean {
    const bytes = length + CHUNK_TAKES;
    const uncounted = this.#taken === 0 ? this.#received : 0;
    this.#received += bytes;
    return this.#received <= SMALL_BODY || this.spend((uncounted + bytes) * PER_BYTE);
  }

  /** @param bytes of memory that the body will take beside its text @returns whether it may be parsed */
  spend(bytes: number): boolean {
    if (!this.#budget.take(this.#address, bytes)) return false;
    if (this.#isClosed) this.#budget.free(this.#address, bytes);
    else this.#taken += bytes;
    return true;
  }

  /** The body has been read and parsed, or does not arrive. */
  close(): void {
    this.#isClosed = true;
    if (this.#taken > 0) this.#budget.free(this.#address, this.#taken);
    this.#taken = 0;
  }
}
