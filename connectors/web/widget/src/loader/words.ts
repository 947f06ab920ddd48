/** The few words outside the frame: [open, close, unread, name of the panel]. */
const WORDS: Record<string, [string, string, string, string]> = {
  en: ['Open chat', 'Close chat', 'unread: ', 'Chat'],
  pl: ['Otwórz czat', 'Zamknij czat', 'nieprzeczytane: ', 'Czat'],
  'zh-hans': ['打开聊天', '关闭聊天', '未读：', '聊天'],
  'zh-hant': ['開啟聊天', '關閉聊天', '未讀：', '聊天'],
}

export function wordsFor(locale: string): [string, string, string, string] {
  const tag = locale.toLowerCase()
  const chinese = /^zh.*(hant|tw|hk|mo)/.test(tag) ? 'zh-hant' : 'zh-hans'
  return (WORDS[tag.startsWith('zh') ? chinese : tag.slice(0, 2)] ?? WORDS['en']) as [string, string, string, string]
}
