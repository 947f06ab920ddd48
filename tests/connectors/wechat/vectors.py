"""The test vectors of the wechat connector, computed with another library."""

from __future__ import annotations

import msgspec

TOKEN = "omniTok2024"
KEY_A = "Zk3Qp8sVx1LmN7dRt5YcBh9WuEo2JgAf6XiKvPzTqC4"
KEY_B = "Zk3Qp8sVx1LmN7dRt5YcBh9WuEo2JgAf6XiKvPzTqCb"
HEX_A = "664dd0a7cb15c752e637b751b7961c061f56b84a3626001fe9788abcfcd3a82e"
HEX_B = "664dd0a7cb15c752e637b751b7961c061f56b84a3626001fe9788abcfcd3a826"
APP_ID, CORP_ID = "wx00aa11bb22cc33dd", "ww99ee88dd77cc66bb"
SIGNATURE_V1 = "cfaf68f4c2246dc1b3b56022627fdee03bc3d277"


class Vector(msgspec.Struct, frozen=True, kw_only=True):
    """One encrypted message; `signature` is the `msg_signature`, `pad` the length of its padding."""

    key: str
    receive_id: str
    noise: str
    plain: str
    cipher: str
    timestamp: str
    nonce: str
    signature: str
    pad: int


VECTORS = {
    "V2": Vector(
        key=KEY_A,
        receive_id=APP_ID,
        noise="aB3dE6gH9jK2mN5p",
        plain=(
            "<xml><ToUserName><![CDATA[gh_omni000001]]></ToUserName><FromUserName><![CDATA[oABC_user-0001]]><"
            "/FromUserName><CreateTime>1720000001</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><!["
            "CDATA[你好]]></Content><MsgId>24680135790123456</MsgId></xml>"
        ),
        cipher=(
            "mxGgvwojtYAE0xOHVIyfHM+Lah70kOBsI3uWtZn/Amrf1ROQLc6JRt4GUNJ/3faLLnhJv65aV3buRreLiW0rt/qDLZO2Hxp2"
            "jb2vAOz2jPxm7NVj8MN5R23WmQZq8zPUljcuFQIyPM9K1c+ymZPJ+cdLyUY5zDGPffPkPfTlb20glng0rx/s6S8qH3ZEF8x0"
            "7/vwkZmLHYzOjIndKATfGix4IAWWybH47nki62JttfNp1P9aAz9V/IavwiNbPXjx4mHBUdJYatOYJyQQtSII7VWBvNtKgnm7"
            "VTdrQRFV7onwljjlJpygNnCziWOoAov1lTUmUNOdHB8Fty1UbDWozRYmyHqTf4zuR+afWfBIvfJVDAdtnhI20TiSDAfqLqcF"
            "Imr8Gt8zQ356h//8W8qCi4AU7OFvB4W6r+dKU+rR/Ww="
        ),
        timestamp="1720000001",
        nonce="831207456",
        signature="dcbb0619ead831dbee40c42fea1ff4ee1d2b8d3b",
        pad=27,
    ),
    "V3": Vector(
        key=KEY_B,
        receive_id=CORP_ID,
        noise="0f1e2d3c4b5a6978",
        plain="5550001112223334445",
        cipher="bKmo4qXP/btQJj+H8+dEKVpI3gvRuP7/PYMLjCwqV1ew7PPcrkvXRc99FtRmnRpYsOM/jlAMgPYZVxqiAoXT3Q==",
        timestamp="1720000002",
        nonce="nonceWeCom01",
        signature="70de8e01c952a3fada7a33844bdc226cbe50001c",
        pad=7,
    ),
    "V4": Vector(
        key=KEY_B,
        receive_id=CORP_ID,
        noise="qwertyuiopasdfgh",
        plain=(
            "<xml><ToUserName><![CDATA[ww99ee88dd77cc66bb]]></ToUserName><CreateTime>1720000003</CreateTime><"
            "MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event><Token><![CDATA[ENC"
            "tok0001]]></Token><OpenKfId><![CDATA[wkOMNI0001]]></OpenKfId></xml>"
        ),
        cipher=(
            "yXUSlqaZTbRL503Dq9iPvjBBidK1+g/uFl5aLGkx8zDJxzHAzwwil0umYGhX5vFMbuQTqgl2N7nwI21/chCUTwhOBQLkjChN"
            "5Gq0bVFVLPnb6SCaddV9NHDb9xjTMDlEwkh39Q22TkiJU6iEcxGFB9XR5fetKDPlFMWw5u3lNLjSqNxI5KaAVWW7hAMtWhXm"
            "lvSy8z5bCc3Gc9Q/ldB6hHRXNuNc0TXLfxrirRPWaKgso6Ok+ZJsih+ajrmHqm1nokDiq61GsoJazFvZ8+4mt7+wpXIKqqA7"
            "gH2bQP4wTtAyHvfDHYdSY3enHxZmSeAEHGogUu6ALyQU1Enq/k3ApkvBsYclfGnXaQi8CriN3jWqGV8OGrZA86XUNYyal+nz"
            "JZQTTglL04dKCeXmBdB8YTS3uP8PTXQx+i/xg23OoRw="
        ),
        timestamp="1720000003",
        nonce="nonceKf02",
        signature="54defee5f329c8afa54f22af7cf96364d6e14e53",
        pad=23,
    ),
    "V5": Vector(
        key=KEY_A,
        receive_id=APP_ID,
        noise="ZZyyXXwwVVuuTTss",
        plain=(
            '{"ToUserName":"gh_omni000002","FromUserName":"oMINI_user-0002","CreateTime":1720000005,"MsgType"'
            ':"event","Event":"user_enter_tempsession","SessionFrom":"sku=42"}'
        ),
        cipher=(
            "bEK2By51Vl1VfvoHcrKM8p+c/tdv8pvZADevekb247gtg/s9CiVHqTHeMQpdnS53s/eDnr5dUC7fj6Fxze6u5OGkxS8nuR/z"
            "9s+Ypjuw2vq4Ul/uujTwgcgkfIMToZOBLoxpvXCu/96I16FAE1vsUS2d9QGmP0jkAbwZdl2QF48nsuPTZbbsRb6NzW/uog/C"
            "PZvFmwpBY8t2JPmeleHFn2xa73rxNSQZUOe8vnZdjnzRbSqkflBGLk+BHhKw1FeNjMyXfCfCl4J0V8HXpejz7dB8Vsj3phxJ"
            "nlxYRIknvaE="
        ),
        timestamp="1720000005",
        nonce="112233",
        signature="87b49777df0aa9915742ce64ab3ffd935f633bea",
        pad=25,
    ),
    "V6": Vector(
        key=KEY_A,
        receive_id=APP_ID,
        noise="1111222233334444",
        plain="<xml><Content>xxxxxxxxxxxxxxxxxxxxxxxxxxxx</Content></xml>",
        cipher=(
            "skJAgjETUk2PjAK5CdXld5FobhaIkH7CtLNrPzFwDR8s0T41FQ0Z1FaW0iAssT/AbFkvdffK4Wm6gAK6TIilKMZLWrP5Vzoa"
            "AXd/sWOUutm+FgJ2Y0KLQGef9GX7G2TU2RvX9BzUeqpfEeLhUf5Rn1u8hA4ij8+/anWRdjvBF94="
        ),
        timestamp="1720000006",
        nonce="pad32",
        signature="d65a1a3d9209b6e222f23f767aeb3e6910109087",
        pad=32,
    ),
    "V7": Vector(
        key=KEY_A,
        receive_id=APP_ID,
        noise="replyreplyreply1",
        plain=(
            "<xml><ToUserName><![CDATA[oABC_user-0001]]></ToUserName><FromUserName><![CDATA[gh_omni000001]]><"
            "/FromUserName><CreateTime>1720000007</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><!["
            "CDATA[ok]]></Content></xml>"
        ),
        cipher=(
            "juXGSrmZ5I+b1vJnphq5GKpwxG06QAE7KXmhdgSk4BwSFTATGBPI3q7WNhgel/DLKAyEPiwhwdZ2ymnhytInj7tV/oYC0gsn"
            "cYcicAhPipY4gb6FYFsnnryE21Wyu/iqGmoCnt59k23kzmP/mHdDQq+WI0cNJlWf7V7//se0oy9p4cXhbffg0PTzU0RnFBZy"
            "Nu6FArGpNbKvpe8wscHGhgJ+p4RGAHpUml/VRuDZcjuG23VouvXTSZbYHINunvHN2BFr9exU+DvRfq3AP0jUcsz0INqGFYRo"
            "jYpQgOCkPRwyYZmNvnY4sqXjcGu2qi50kUtNLMYGrPLxuHqrPdQNb3YPBQbKmI+ruc9GumIhN40eA25i5zCZNnp9ZcqMjgJu"
        ),
        timestamp="1720000007",
        nonce="reply77",
        signature="ea579ed3a1f18ec362d9c721bbaa7670b1146cec",
        pad=31,
    ),
}
