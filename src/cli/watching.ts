/** The flag `--watch`: shows a text again whenever it changes, until the user has seen enough. */
import type { Flag, Io } from './command.ts';

export const WATCH_FLAG: Flag = {
  name: 'watch',
  short: 'w',
  value: '',
  help: 'Look again every few seconds, and show what has changed, until Ctrl-C.',
  isSwitch: true,
};

/** Milliseconds between two looks, each of which lists objects. */
const LOOK_EVERY = 3000;
/** Clears a terminal: cursor home, then everything below it. */
const CLEAR = '\u001B[H\u001B[2J';

/**
 * @param look reads the source, and returns the text and the exit code
 * @returns the exit code of the last look
 */
export async function showAndWatch(
  io: Io,
  isWatched: boolean,
  look: () => Promise<{ readonly text: string; readonly code: number }>,
): Promise<number> {
  let isStopped = false;
  const stopped = isWatched ? io.untilStopped().then(() => (isStopped = true)) : undefined;
  let shown: string | undefined;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    const { text, code } = await look();
    if (text !== shown) io.out.write(`${isWatched && io.out.isTTY === true ? CLEAR : ''}${text}`);
    shown = text;
    if (!stopped) return code;
    // oxlint-disable-next-line no-await-in-loop
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, LOOK_EVERY))]);
    if (isStopped) return code;
  }
}
