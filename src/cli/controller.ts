/** `imc controller`: makes and retires ImageCaches until it is told to stop. */
import { SETTINGS } from '../config/settings.ts';
import { loadConfig } from '../config/load.ts';
import { startController } from '../runtime/controller.ts';
import { createLogger } from '../runtime/logger.ts';
import { CONFIG_FLAG, requireSource, UsageError, type Command } from './command.ts';

/** Settings that only the webhook has. */
const NOT_HERE = /^(?:port|tls\.|shutdownDelay)/;

export const controller: Command = {
  name: 'controller',
  summary: 'Create an ImageCache for each miss, and delete those that are no longer used.',
  usage:
    'imc controller --source kubernetes|files:DIR --create-on-miss-by controller [--config FILE] [flags]',
  flags: [CONFIG_FLAG],
  settings: SETTINGS.map(({ path }) => path).filter((path) => !NOT_HERE.test(path)),
  run: async (flags, io) => {
    const config = loadConfig(flags.one('config'), flags.settings);
    requireSource(config);
    if (config.createOnMiss.by === 'eci') {
      throw new UsageError(
        'createOnMiss.by is eci: ECI makes the caches by itself; give --create-on-miss-by controller or auto, to the webhook too',
      );
    }
    const log = createLogger(config.logLevel);
    const running = await startController(config, log);
    log.info({ address: running.address, lease: config.controller.lease }, 'controller started');
    await Promise.race([running.synced.then(() => log.info('ready')), io.untilStopped()]);
    await io.untilStopped();
    await running.stop();
    return 0;
  },
};
