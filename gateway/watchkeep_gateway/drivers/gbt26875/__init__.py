"""Fire transmission devices 用户信息传输装置 that connect to the gateway and speak GB/T 26875.3-2011."""
