labwright demo
cp -r "$ROOT/examples/reaction_pool" . && sed -i 's/^campaign: .*/campaign: with-descriptors/; s/experiments: 20/experiments: 10/' reaction_pool/campaign.yaml
sed 's/^campaign: .*/campaign: without-descriptors/; s/, descriptors: [a-z]*.csv//' reaction_pool/campaign.yaml > reaction_pool/without.yaml
labwright run reaction_pool/campaign.yaml
labwright run reaction_pool/without.yaml
