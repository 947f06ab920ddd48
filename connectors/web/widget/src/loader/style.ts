/** How launcher and panel stand on the page; a constructed sheet, so that no policy of the page is in the way. */
export const STYLE = `
:host{all:initial}
button{all:initial;box-sizing:border-box;position:fixed;bottom:calc(20px + env(safe-area-inset-bottom));width:56px;height:56px;
border-radius:50%;background:var(--a);color:var(--i);cursor:pointer;display:grid;place-items:center;
box-shadow:0 2px 6px #0003,0 8px 24px #0003;z-index:var(--z);transition:transform .15s}
button:hover{transform:scale(1.05)}
button:focus-visible{outline:3px solid var(--i);box-shadow:0 0 0 6px var(--a)}
svg{width:28px;height:28px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
span{position:absolute;inset-block-start:-4px;inset-inline-end:-4px;min-width:22px;height:22px;padding:0 6px;box-sizing:border-box;
border-radius:11px;background:#c9182b;color:#fff;font:600 13px/22px system-ui,sans-serif;text-align:center}
span:empty{display:none}
iframe{position:fixed;border:0;bottom:calc(88px + env(safe-area-inset-bottom));width:min(392px,calc(100vw - 24px));
height:min(660px,calc(100dvh - 108px));border-radius:16px;box-shadow:0 4px 12px #0002,0 16px 48px #0003;z-index:var(--z);
color-scheme:normal;background:none}
.end button,.end iframe{right:20px}
.start button,.start iframe{left:20px}
.sheet.open button{display:none}
.sheet iframe{inset:0;width:100%;height:100dvh;border-radius:0}
:not(.open)>iframe{display:none}
@media(prefers-reduced-motion:reduce){button{transition:none}}
@media print{div{display:none}}
`
