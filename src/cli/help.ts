/** The help of a subcommand. */
import { settingFlags, type Command, type Flag } from './command.ts';

export function formatHelp(command: Command): string {
  const sections = [
    {
      title: 'Flags',
      flags: [...command.flags, { name: 'help', short: 'h', value: '', help: 'Show this help.' }],
    },
    { title: 'Configuration (also in the file, and in the environment)', flags: settingFlags(command) },
  ];
  const body = sections
    .filter(({ flags }) => flags.length > 0)
    .map(({ title, flags }) => `${title}:\n${flags.map(formatFlag).join('\n')}`);
  return `${command.summary}\n\nUsage: ${command.usage}\n\n${body.join('\n\n')}\n`;
}

function formatFlag({ name, short, value, help }: Flag): string {
  const left = `  ${short === undefined ? '    ' : `-${short}, `}--${name} ${value}`.trimEnd();
  return `${left}\n${wrap(help, 96, '          ')}`;
}

function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > width && line !== indent) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}
