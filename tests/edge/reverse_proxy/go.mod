module tandem.local/reverse_proxy

go 1.24
