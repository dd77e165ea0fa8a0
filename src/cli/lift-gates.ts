/** `imc lift-gates`: lets all pods go that wait for their cache. */
import { loadConfig } from '../config/load.ts';
import { liftGates } from '../runtime/lift-gates.ts';
import { CONFIG_FLAG, type Command } from './command.ts';

export const liftGatesCommand: Command = {
  name: 'lift-gates',
  summary: 'Let all pods go that wait for their cache, before the webhook and the controller are removed.',
  usage: 'imc lift-gates [--config FILE] [--delete-webhook NAME] [--kubeconfig FILE]',
  flags: [
    CONFIG_FLAG,
    {
      name: 'delete-webhook',
      value: 'NAME',
      help: 'First delete this MutatingWebhookConfiguration, so that no further pod is made to wait.',
    },
  ],
  settings: ['kubeconfig', 'kubeContext'],
  run: async (flags, io) => {
    const config = loadConfig(flags.one('config'), flags.settings);
    let lifted = 0;
    await liftGates(config, flags.one('delete-webhook') ?? '', (key) => {
      lifted += 1;
      io.out.write(`Pod ${key} waits no longer.\n`);
    });
    io.out.write(`${lifted} ${lifted === 1 ? 'pod was' : 'pods were'} let go; none waits.\n`);
    return 0;
  },
};
