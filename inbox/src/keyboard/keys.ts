/** What the help sheet tells; the handlers stand where the things are that they act on. */
export const KEYS = [
  { keys: ['j', '↓'], words: 'help.next' },
  { keys: ['k', '↑'], words: 'help.previous' },
  { keys: ['Enter'], words: 'help.open' },
  { keys: ['Esc'], words: 'help.back' },
  { keys: ['r'], words: 'help.reply' },
  { keys: ['n'], words: 'help.note' },
  { keys: ['a'], words: 'help.assign' },
  { keys: ['e'], words: 'help.close' },
  { keys: ['h'], words: 'help.history' },
  { keys: ['Enter'], words: 'help.send' },
  { keys: ['Shift', 'Enter'], words: 'help.newline' },
  { keys: ['?'], words: 'help.help' },
] as const
