/** What the help sheet tells; the handlers stand where the things are that they act on. */
export const KEYS = [
  { section: 'help.sectionEverywhere', rows: [
    { keys: ['Ctrl/⌘', 'K'], words: 'help.palette' },
    { keys: ['/'], words: 'help.search' },
    { keys: ['g', 'i'], words: 'help.goInbox' },
    { keys: ['g', 's'], words: 'help.goSettings' },
    { keys: ['?'], words: 'help.help' },
  ] },
  { section: 'help.sectionList', rows: [
    { keys: ['j', '↓'], words: 'help.next' },
    { keys: ['k', '↑'], words: 'help.previous' },
    { keys: ['Enter'], words: 'help.open' },
    { keys: ['1', '2', '3'], words: 'help.views' },
  ] },
  { section: 'help.sectionThread', rows: [
    { keys: ['r'], words: 'help.reply' },
    { keys: ['n'], words: 'help.note' },
    { keys: ['a'], words: 'help.assign' },
    { keys: ['e'], words: 'help.close' },
    { keys: ['c'], words: 'help.customer' },
    { keys: ['h'], words: 'help.history' },
    { keys: ['z'], words: 'help.undo' },
    { keys: ['Esc'], words: 'help.back' },
  ] },
  { section: 'help.sectionComposer', rows: [
    { keys: ['Enter'], words: 'help.send' },
    { keys: ['Shift', 'Enter'], words: 'help.newline' },
    { keys: ['/'], words: 'help.canned' },
    { keys: ['Ctrl/⌘', 'Z'], words: 'help.undoTyping' },
  ] },
  { section: 'help.sectionViewer', rows: [
    { keys: ['←', '→'], words: 'help.pictures' },
    { keys: ['+', '−'], words: 'help.zoom' },
  ] },
] as const
