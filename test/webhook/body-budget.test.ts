/** What the bodies of one address may take at the same time. */
import { beforeEach, describe, expect, it } from 'vitest';
import { BodyAccount, BodyBudget } from '../../src/webhook/body-budget.ts';
import { FakeClock } from '../support/clock.ts';

const MIB = 2 ** 20;
let clock: FakeClock;
let budget: BodyBudget;
beforeEach(() => {
  clock = new FakeClock();
  budget = new BodyBudget(clock);
});

/** Receives a body in pieces of 64 KiB. @returns how many bytes were taken before it was refused */
function receive(address: string, bytes: number): { account: BodyAccount; received: number } {
  const account = new BodyAccount(budget, address);
  let received = 0;
  while (received < bytes && account.receive(65_536)) received += 65_536;
  return { account, received };
}

describe('of one address', () => {
  it('a body of 8 MiB is received, and as many more as take 64 MiB with it', () => {
    expect(receive('a', 8 * MIB).received).toBe(8 * MIB);
    expect(receive('a', 8 * MIB).received).toBe(8 * MIB);
    expect(receive('a', 8 * MIB).received).toBeLessThan(6 * MIB);
  });

  it('small bodies are always received', () => {
    receive('a', 60 * MIB);
    for (let i = 0; i < 1000; i++) expect(new BodyAccount(budget, 'a').receive(60_000)).toBe(true);
  });

  it('bytes that come one by one count with the memory of their chunks', () => {
    const account = new BodyAccount(budget, 'a');
    let chunks = 0;
    while (account.receive(1)) chunks += 1;
    expect(chunks).toBeLessThan(64 * 1024);
    expect(new BodyAccount(budget, 'a').spend(MIB)).toBe(false);
  });

  it('what the parsed review takes counts, too', () => {
    const { account } = receive('a', 8 * MIB);
    expect(account.spend(41 * MIB)).toBe(false);
    expect(account.spend(38 * MIB)).toBe(true);
  });

  it('a body counts until a moment after its end, and then no more', async () => {
    const bodies = [receive('a', 8 * MIB), receive('a', 8 * MIB)];
    for (const { account } of bodies) account.close();
    expect(receive('a', 8 * MIB).received).toBeLessThan(8 * MIB);
    await clock.advance(1000);
    expect(receive('a', 8 * MIB).received).toBe(8 * MIB);
  });

  it('what is taken after the end of the body is given back as well', async () => {
    const { account } = receive('a', 8 * MIB);
    account.close();
    account.spend(30 * MIB);
    await clock.advance(1000);
    expect(new BodyAccount(budget, 'a').spend(64 * MIB)).toBe(true);
  });
});

it('another address has its own budget', () => {
  receive('a', 60 * MIB);
  expect(receive('b', 8 * MIB).received).toBe(8 * MIB);
});
