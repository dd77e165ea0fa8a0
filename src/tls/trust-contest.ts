/**
 * Notices that somebody else changes the caBundle again and again, as GitOps tools do that do not ignore the field: says
 * so, and restores it less and less often.
 */

/** Milliseconds for which a restoration counts. */
const COUNTS_FOR = 600_000;
/** From so many restorations on it is a contest. */
const CONTEST_FROM = 3;
/** Milliseconds between two restorations: without a contest; in a contest this doubles with each, up to the limit. */
const WAIT = { first: 1000, longest: 60_000 };

export class TrustContest {
  /** Times of the last restorations, in milliseconds since 1970; they become rare, so that there are few. */
  #restored: readonly number[] = [];

  /** Whether the caBundle may be restored now. */
  mayRestore(now: number): boolean {
    const last = this.#counting(now).at(-1);
    return last === undefined || now - last >= this.#wait(now);
  }

  restored(now: number): void {
    this.#restored = [...this.#counting(now), now];
  }

  /** For people; undefined without a contest. */
  problem(now: number): string | undefined {
    if (this.#counting(now).length < CONTEST_FROM) return undefined;
    return (
      'another program changes the caBundle again and again, and while it is wrong no pod is decided: a GitOps tool ' +
      'must ignore webhooks[].clientConfig.caBundle'
    );
  }

  #counting(now: number): readonly number[] {
    return this.#restored.filter((at) => now - at < COUNTS_FOR);
  }

  #wait(now: number): number {
    const beyond = this.#counting(now).length - CONTEST_FROM + 1;
    return beyond <= 0 ? WAIT.first : Math.min(WAIT.first * 2 ** beyond, WAIT.longest);
  }
}
