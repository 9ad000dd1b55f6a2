cp -r "$ROOT/examples/reaction_pool" . && sed -i 's/^campaign: .*/campaign: direct-arylation/; s/speed: 10000/speed: 100/' reaction_pool/campaign.yaml
