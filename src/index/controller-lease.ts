/**
 * Whether a controller leads: its Lease is renewed all the time. Only our own clock counts, as in an election, because clocks
 * differ between machines.
 */

export class ControllerLease {
  #version: string | undefined;
  #holder = '';
  #validForMs = 0;
  /** When the Lease was last seen to change, in milliseconds since 1970. */
  #renewedAtMs = -Infinity;
  #isOurs = false;

  /** Says that this process is the controller. */
  assume(): void {
    this.#isOurs = true;
  }

  /**
   * Notes a state of the Lease. The first one says nothing: it may be an old one.
   * @param version the resourceVersion
   * @param holder empty if nobody holds it
   */
  note(version: string, holder: string, validForMs: number, nowMs: number): void {
    if (this.#version !== undefined && this.#version !== version) this.#renewedAtMs = nowMs;
    this.#version = version;
    this.#holder = holder;
    this.#validForMs = validForMs;
  }

  forget(): void {
    this.#version = undefined;
    this.#renewedAtMs = -Infinity;
  }

  isFresh(nowMs: number): boolean {
    if (this.#isOurs) return true;
    return this.#holder !== '' && nowMs - this.#renewedAtMs < this.#validForMs;
  }
}
