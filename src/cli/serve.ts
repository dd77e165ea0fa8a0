/** `imc serve`: runs the webhook until it is told to stop. */
import { SETTINGS } from '../config/settings.ts';
import { loadConfig } from '../config/load.ts';
import { createLogger } from '../runtime/logger.ts';
import { openCertificate } from '../runtime/tls.ts';
import { startWebhook } from '../runtime/webhook.ts';
import { CONFIG_FLAG, requireSource, UsageError, type Command } from './command.ts';

export const serve: Command = {
  name: 'serve',
  summary: 'Serve the admission webhook.',
  usage:
    'imc serve --source kubernetes|files:DIR (--tls-managed-secret NAMESPACE/NAME | --tls-cert FILE --tls-key FILE | --tls-self-signed DIR) [--config FILE] [flags]',
  flags: [CONFIG_FLAG],
  settings: SETTINGS.map((setting) => setting.path),
  run: async (flags, io) => {
    const config = loadConfig(flags.one('config'), flags.settings);
    requireSource(config);
    if (config.bindTime && config.source !== 'kubernetes') {
      throw new UsageError(
        'bindTime needs --source kubernetes: no other source knows the pods that are being bound',
      );
    }
    const log = createLogger(config.logLevel);
    const webhook = await startWebhook(config, await openCertificate(config, log), log);
    const { address, metricsAddress } = webhook;
    log.info({ address, metricsAddress, source: config.source }, 'serving');
    try {
      await Promise.race([webhook.synced.then(() => log.info('ready')), io.untilStopped()]);
    } catch (error) {
      await webhook.stop(0);
      throw error;
    }
    await io.untilStopped();
    await webhook.stop();
    return 0;
  },
};
