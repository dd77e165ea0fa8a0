/** The log: JSON lines on standard output, as log collectors read them. */
import { pino, stdTimeFunctions, type Logger } from 'pino';

export function createLogger(level: string): Logger {
  return pino({ level, base: { name: 'imagecache-webhook' }, timestamp: stdTimeFunctions.isoTime });
}
